"""Where everything is stored: tables, migrations, statements, tenant transactions."""
