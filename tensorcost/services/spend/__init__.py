"""Use cases around single spend events and AI spend: listing, summary, attribution, push."""
