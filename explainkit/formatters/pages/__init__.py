"""What pages are made of: the viewer and its data, templates, scripts and styles."""
