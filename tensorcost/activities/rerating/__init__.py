"""Re-rating composed: which rows, their new prices, what is written and told of it."""
