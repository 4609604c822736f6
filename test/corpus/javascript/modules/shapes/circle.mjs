export const circle = (radius) => ({ name: 'circle', area: Math.PI * radius ** 2 });
