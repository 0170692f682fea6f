#!/bin/sh
# Run once by the image of Postgres, on an empty volume: the roles and the database of README.md.
set -eu
psql --username "$POSTGRES_USER" --dbname postgres --set ON_ERROR_STOP=1 \
  --set owner_password="$TOCSIN_OWNER_PASSWORD" --set server_password="$TOCSIN_SERVER_PASSWORD" \
  --set backup_password="$TOCSIN_BACKUP_PASSWORD" <<'SQL'
create role tocsin_owner login password :'owner_password';
create role tocsin_app nologin;
create role tocsin_worker nologin;
create role tocsin_host nologin;
create role tocsin_server login password :'server_password' in role tocsin_app, tocsin_worker;
create role tocsin_backup login password :'backup_password' bypassrls in role pg_read_all_data;
create database tocsin owner tocsin_owner;
revoke connect, temporary on database tocsin from public;
grant connect on database tocsin to tocsin_owner, tocsin_server, tocsin_backup, tocsin_host;
SQL
