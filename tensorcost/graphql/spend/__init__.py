"""Single spend events, AI spend, unit economics, attribution and prices."""
