"""Starting points: recipes and the facts that fill them."""
