#!/usr/bin/env bash
# postgres.sh [OPTION…]: runs one of two PostgreSQL servers in the foreground. With an
# empty folder the server named by PRIMARY makes a new database, and the other one copies
# it and is its standby. Later each goes on as what it was. The options go to postgres.
#
# SERVER and PEER are the names of this and of the other server, in the network, too.
set -euo pipefail
export LC_ALL=C PGPASSWORD=$REPLICATION_PASSWORD

die() {
	printf 'postgres.sh: %s\n' "$*" >&2
	exit 1
}

# peer_timeline prints the timeline of the other server, nothing if it can't be reached.
# Each promotion begins a new timeline.
peer_timeline() {
	psql "host=$PEER user=replication replication=true connect_timeout=3" --no-psqlrc --tuples-only --no-align \
		--command=IDENTIFY_SYSTEM 2>/dev/null | cut -d '|' -f 2
}

make_database() {
	local new=$1
	initdb --pgdata="$new" --username=postgres --auth=reject --encoding=UTF8 --locale=C.UTF-8 --data-checksums >/dev/null
	cat >"$new/pg_hba.conf" <<-'HBA'
		local all         postgres             peer
		host  hstockbot   hstockbot   samenet  scram-sha-256
		host  replication replication samenet  scram-sha-256
	HBA
	pg_ctl --pgdata="$new" --wait --silent --options="-c listen_addresses='' -k '$new'" start
	# The last setting counts from the next start on, and is copied to the standby: it
	# confirms nothing either that its own standby does not have, once it is promoted.
	psql --host="$new" --username=postgres --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=first="$SERVER" --set=second="$PEER" <<-'SQL'
		\getenv password POSTGRES_PASSWORD
		\getenv replication_password REPLICATION_PASSWORD
		CREATE ROLE hstockbot LOGIN PASSWORD :'password';
		CREATE ROLE replication LOGIN REPLICATION PASSWORD :'replication_password';
		CREATE DATABASE hstockbot OWNER hstockbot;
		SELECT format('%I, %I', :'first', :'second') AS both \gset
		ALTER SYSTEM SET synchronous_standby_names = :'both';
	SQL
	pg_ctl --pgdata="$new" --wait --silent stop
}

copy_database() {
	local new=$1
	until pg_basebackup --dbname="host=$PEER user=replication connect_timeout=3" --pgdata="$new" \
		--checkpoint=fast --write-recovery-conf; do
		printf 'postgres.sh: waiting for %s\n' "$PEER" >&2
		sleep 2
	done
}

# What is cut off leaves no folder of the final name.
new=$PGDATA.new
if [[ ! -e $PGDATA ]]; then
	rm -rf "$new"
	if [[ $SERVER != "$PRIMARY" ]]; then
		copy_database "$new"
	elif [[ -z $(peer_timeline) ]]; then
		make_database "$new"
	else
		die "$PEER has the database: set POSTGRES_PRIMARY=$PEER"
	fi
	mv "$new" "$PGDATA"
elif [[ ! -e $PGDATA/standby.signal ]]; then
	timeline=$(pg_controldata --pgdata="$PGDATA" | sed -n "s/^Latest checkpoint's TimeLineID: *//p")
	[[ $(peer_timeline) -le $timeline ]] ||
		die "$PEER was promoted and has taken the place of this server: delete the data of this one"
fi

exec postgres -c cluster_name="$SERVER" -c primary_conninfo="host=$PEER user=replication" \
	-c wal_keep_size=1GB -c listen_addresses='*' "$@"
