"""What all pages share: image addresses, response headers, and cross-site checks."""
