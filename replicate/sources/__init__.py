"""Where candidates come from: terms, Flickr, originals, downloading, preparation."""
