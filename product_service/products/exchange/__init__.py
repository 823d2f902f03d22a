"""Import and export of products: CSV and Excel files, and Shopify's product export."""
