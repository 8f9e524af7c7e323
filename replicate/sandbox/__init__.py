"""A local Flickr and simulated workers, over real HTTP, with planted truth and planned faults."""
