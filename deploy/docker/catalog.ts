import { resolvedCatalog } from '../images/resolved-catalog.ts';

// The catalogue as it is in an image, with what images are pulled from as the one argument.
const [registry = ''] = process.argv.slice(2);
process.stdout.write(await resolvedCatalog(registry && `${registry.replace(/\/$/, '')}/`));
