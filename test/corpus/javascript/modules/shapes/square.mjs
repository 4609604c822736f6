export const square = (side) => ({ name: 'square', area: side ** 2 });
