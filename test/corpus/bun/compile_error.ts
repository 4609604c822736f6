function harbour(ship: string {
  console.log(ship);
}
