while :; do echo harbour; done
