#!/bin/sh
# One database and one role per service, each inaccessible to the other roles. The PostgreSQL image
# runs this once, when its volume is empty; the tests run it on their own server.
#
# Reads PRODUCT_DB_PASSWORD, NOTIFICATION_DB_PASSWORD and AUDIT_DB_PASSWORD; connects like psql.
set -eu
for service in product notification audit; do
    variable="$(echo "$service" | tr '[:lower:]' '[:upper:]')_DB_PASSWORD"
    eval "password=\${$variable:?is not set}"
    # A worker that hangs inside its transaction, such as on a paused machine, would block its events
    # for the worker that took over; a machine that vanished would hold the relay's lock and events
    # until TCP gives up, which takes two hours by default.
    psql --username "${POSTGRES_USER:-postgres}" --dbname postgres --no-psqlrc --quiet \
        --set ON_ERROR_STOP=1 --set service="$service" --set password="$password" <<'SQL'
CREATE ROLE :"service" LOGIN PASSWORD :'password';
ALTER ROLE :"service" SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE :"service" SET tcp_keepalives_idle = 10;
ALTER ROLE :"service" SET tcp_keepalives_interval = 5;
ALTER ROLE :"service" SET tcp_keepalives_count = 3;
CREATE DATABASE :"service" OWNER :"service";
REVOKE CONNECT ON DATABASE :"service" FROM PUBLIC;
SQL
done
