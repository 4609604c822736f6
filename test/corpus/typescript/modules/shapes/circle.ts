import type { Shape } from '../shape.ts';

export const circle = (radius: number): Shape => ({ name: 'circle', area: Math.PI * radius ** 2 });
