berth <- function(ship) {
  paste("berth of", ship

cat(berth("Gorch Fock"), "\n")
