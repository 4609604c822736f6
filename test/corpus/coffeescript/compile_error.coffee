harbour = (ship ->
  console.log ship
