sub harbour($ship {
    say $ship;
}
