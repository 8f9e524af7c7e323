"""A self-hosted crowd: speaks the MTurk Requester API and serves HITs to people's browsers."""
