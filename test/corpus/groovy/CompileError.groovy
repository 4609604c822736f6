def harbour(ship {
    println ship
}
