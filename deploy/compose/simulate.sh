#!/bin/sh
# Simulated devices that reach the hub as real ones do: through the balancer. The arguments are those of `muster simulate`.
set -eu
umask 077

muster="node /app/apps/muster/bin/muster.mjs"
connection_string=$($muster connection-string)
# A file: arguments of a program can be read by everyone on the machine.
printf '%s;GatewayHostName=balancer\n' "$connection_string" > /tmp/connection-string
exec $muster simulate --connection-string-file /tmp/connection-string --ca /var/lib/muster/tls/ca.pem --https-port 8443 "$@"
