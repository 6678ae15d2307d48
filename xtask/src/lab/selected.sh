# All that needs the lab: first the tests of one start, then those on both sides of another. The second start tells
# whether all went well.
case $LAB_BOOT in
1)
    status=0
    jails --test-threads=2 lab:: --skip=lab::reboot || status=$?
    jails lab::reboot::units_are_enabled || status=$?
    echo $status >/var/lib/lab-status
    # Jails run when the machine goes down: by units, and one by hand.
    systemctl start jaula jaula@alone
    jaula start byhand
    systemctl reboot
    ;;
*)
    jails --test-threads=1 lab::reboot --skip=units_are_enabled && exit "$(cat /var/lib/lab-status)"
    ;;
esac
