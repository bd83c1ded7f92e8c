"""The emulated world is tested as strictly as the product: a wrong fake proves wrong things."""
