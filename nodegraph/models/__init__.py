"""Published models: catalogues, getting and adding their files, keeping them loaded. Knows no terminal."""
