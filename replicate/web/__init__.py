"""What all pages share: response headers, body limits, signatures of cookies and forms, layout."""
