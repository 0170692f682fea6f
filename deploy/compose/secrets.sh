#!/bin/sh
# Prints the secrets of a new deployment: sh deploy/compose/secrets.sh > .env && chmod 600 .env
set -eu
for name in POSTGRES_PASSWORD TOCSIN_OWNER_PASSWORD TOCSIN_SERVER_PASSWORD TOCSIN_BACKUP_PASSWORD NATS_PASSWORD \
  TOCSIN_JWT_SECRET; do
  # It begins with a letter: NATS would take 12e45 for a number.
  echo "$name=s$(openssl rand -hex 32)"
done
echo "TOCSIN_SECRET_KEYS=k1:$(openssl rand -base64 32)"
