-- Three roles for one application's database. Run it once, in that database, as its owner or a superuser, before the
-- first migration; then give each role a password (\password shop_migrator) or another way to authenticate.

-- Migrates: owns what it makes. An extension that is not trusted has to be created by a superuser.
CREATE ROLE shop_migrator LOGIN;
-- Serves: reads and writes rows, makes and drops nothing.
CREATE ROLE shop_app LOGIN;
-- Looks: for corehost check, wait and status, and for people.
CREATE ROLE shop_reader LOGIN;

DO $$
BEGIN
  EXECUTE format('GRANT CONNECT, CREATE ON DATABASE %I TO shop_migrator', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO shop_app, shop_reader', current_database());
END
$$;

-- Plugins come and go, and each brings a schema: so the rights go with what the migrator will make, not with names.
ALTER DEFAULT PRIVILEGES FOR ROLE shop_migrator GRANT USAGE ON SCHEMAS TO shop_app, shop_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE shop_migrator GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO shop_app;
ALTER DEFAULT PRIVILEGES FOR ROLE shop_migrator GRANT USAGE, SELECT ON SEQUENCES TO shop_app;
ALTER DEFAULT PRIVILEGES FOR ROLE shop_migrator GRANT SELECT ON TABLES TO shop_reader;

-- So that a waiting instance can say who holds a lock, and since when.
GRANT pg_read_all_stats TO shop_migrator, shop_app, shop_reader;
