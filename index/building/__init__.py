"""From folders of pictures to a database."""
