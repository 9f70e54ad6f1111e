"""The film that `stance demo` plays: people drawn around recorded keypoints."""
