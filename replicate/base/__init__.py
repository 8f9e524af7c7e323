"""The ground: errors, files, images, clock, random streams, digests, packed data."""
