"""What the cluster should be: typed records in one database.  The only code that knows where they are kept."""
