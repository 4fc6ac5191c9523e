#!/usr/bin/env bash
# Makes webapp-debian, the base image of the example, from Debian's packages, since no registry is reached.
# The compiler in PostgreSQL, for long queries, is a third of it.
export LEAVE_OUT="usr/lib/x86_64-linux-gnu/libLLVM* usr/lib/x86_64-linux-gnu/libz3* usr/lib/postgresql/15/lib/bitcode"
exec "$(dirname "$0")/../../packaging/debian-image.sh" "${1:-webapp-debian}" python3 python3-psycopg2 postgresql-15 docker-registry
