"""What holds for all tests."""

import signal

# A job that a script starts in the background ignores ctrl-C, and so would every process the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
