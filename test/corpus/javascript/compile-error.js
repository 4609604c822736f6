function berth(ship) {
  return `berth of ${ship}`;

console.log(berth('Gorch Fock'));
