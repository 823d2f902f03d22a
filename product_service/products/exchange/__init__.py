"""Products from files and into files: our own columns as CSV or Excel, and Shopify's export."""
