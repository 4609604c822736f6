import type { Shape } from './shape.ts';
import { circle } from './shapes/circle.ts';
import { square } from './shapes/square.ts';

const shapes: Shape[] = [square(3), circle(2)];
for (const { name, area } of shapes) console.log(`${name}: ${area.toFixed(2)}`);
