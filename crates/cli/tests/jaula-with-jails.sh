#!/bin/sh
# A jaula that knows two jails and two keys; all else the real one, $JAULA, answers.
case "$1 $2" in
'complete-names ') printf 'www\ndb\n' ;;
'config keys') printf 'boot.user\nnetwork.mode\n' ;;
*) exec "$JAULA" "$@" ;;
esac
