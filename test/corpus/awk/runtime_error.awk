BEGIN {
    print "before"
    harbour["Kiel"] = 12
    print harbour + 1
}
