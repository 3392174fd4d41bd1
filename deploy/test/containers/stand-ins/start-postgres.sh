#!/bin/sh
# What the public image does at its first start, as far as docker-compose.yml asks for it.
set -eu
export PGDATA=/var/lib/postgresql/data LD_LIBRARY_PATH=/usr/local/pgsql/lib PATH="/usr/local/pgsql/bin:$PATH"

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --encoding=UTF8 --locale=C --auth=scram-sha-256 --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE"
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  echo "create database $POSTGRES_DB" | postgres --single postgres
fi
exec "$@" -c listen_addresses='*'
