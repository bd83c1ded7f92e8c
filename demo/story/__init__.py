"""The main job as a new user sees it, over the product's own doors."""
