import type { Command } from 'commander';
import type { Perform } from '../context.ts';
import { collect, parseCount } from '../units.ts';
import { examples } from './examples.ts';
import { limitOption } from './programs.ts';

export function declareAdministration(program: Command, perform: Perform): void {
  declareKeys(program, perform);
  declareOrganizations(program, perform);
  declareWebhooks(program, perform);
}

function declareKeys(program: Command, perform: Perform): void {
  const actions = () => import('../actions/keys.ts');
  const keys = program.command('keys').description('API keys of the organisation (scope keys)');
  limitOption(keys.command('list').description('Lists keys, newest first, without their secrets.')).action((options) =>
    perform(async (context) => (await actions()).list(context, options)),
  );
  const create = keys
    .command('create')
    .description('Makes a key and shows its secret, this once.')
    .argument('<name>', 'what it is called')
    .option('--scope <scope>', `may be repeated; default: your own, but for operator`, collect)
    .option('--expires <time>', 'when it ends, such as 2030-01-31T12:00:00Z; default: never, or when yours does')
    .action((name, options) => perform(async (context) => (await actions()).create(context, name, options)));
  examples(create, 'drydock keys create ci --scope executions --expires 2030-01-31');
  keys
    .command('revoke')
    .description('Ends a key with its tokens.')
    .argument('<key>', 'its id, key_…')
    .option('--descendants', 'also the keys that it made')
    .action((id, options) => perform(async (context) => (await actions()).revoke(context, id, options)));
}

/** Of `orgs create` and `orgs update`. */
function quotaOptions(command: Command): Command {
  return command
    .option('--concurrent-sandboxes <number>', 'sandboxes at one time', parseCount)
    .option('--concurrent-executions <number>', 'executions of the queue at one time', parseCount)
    .option('--queued-executions <number>', 'executions that wait', parseCount)
    .option('--queue-weight <number>', 'its share of the queue, by default 100', parseCount);
}

function declareOrganizations(program: Command, perform: Perform): void {
  const actions = () => import('../actions/organizations.ts');
  const orgs = program.command('orgs').description('organisations and their quota (scope operator)');
  limitOption(orgs.command('list').description('Lists organisations, newest first.')).action((options) =>
    perform(async (context) => (await actions()).list(context, options)),
  );
  orgs
    .command('get')
    .description('Shows an organisation and its quota. Your own needs no scope operator.')
    .argument('<organization>', 'its id, org_…')
    .action((id) => perform(async (context) => (await actions()).get(context, id)));
  const create = quotaOptions(
    orgs
      .command('create')
      .description('Makes an organisation, and shows the secret of its first key, this once.')
      .argument('<name>', 'what it is called'),
  ).action((name, options) => perform(async (context) => (await actions()).create(context, name, options)));
  examples(create, 'drydock orgs create acme --concurrent-sandboxes 50');
  quotaOptions(
    orgs
      .command('update')
      .description('Changes the name or the quota of an organisation.')
      .argument('<organization>', 'its id, org_…')
      .option('--name <name>', 'what it is called'),
  ).action((id, options) => perform(async (context) => (await actions()).update(context, id, options)));
  orgs
    .command('delete')
    .description('Deletes an organisation: its keys end at once, what it has soon after.')
    .argument('<organization>', 'its id, org_…')
    .action((id) => perform(async (context) => (await actions()).remove(context, id)));
}

function declareWebhooks(program: Command, perform: Perform): void {
  const actions = () => import('../actions/webhooks.ts');
  const webhooks = program.command('webhooks').description('where executions of the queue are told of');
  limitOption(webhooks.command('list').description('Lists webhooks, newest first.')).action((options) =>
    perform(async (context) => (await actions()).list(context, options)),
  );
  webhooks
    .command('create')
    .description('Makes a webhook and shows the secret that signs its deliveries, this once.')
    .argument('<url>', 'where deliveries go')
    .action((url) => perform(async (context) => (await actions()).create(context, url)));
  webhooks
    .command('delete')
    .description('Deletes a webhook.')
    .argument('<webhook>', 'its id, whk_…')
    .action((id) => perform(async (context) => (await actions()).remove(context, id)));
  webhooks
    .command('rotate-secret')
    .description('Makes a new secret and shows it, this once; the old one signs too for a while.')
    .argument('<webhook>', 'its id, whk_…')
    .action((id) => perform(async (context) => (await actions()).rotate(context, id)));
  limitOption(
    webhooks
      .command('deliveries')
      .description('Lists deliveries of a webhook, newest first.')
      .argument('<webhook>', 'its id, whk_…'),
  ).action((id, options) => perform(async (context) => (await actions()).deliveries(context, id, options)));
  webhooks
    .command('redeliver')
    .description('Sends a delivery again, whether it arrived or not.')
    .argument('<webhook>', 'its id, whk_…')
    .argument('<delivery>', 'its id, dlv_…')
    .action((id, delivery) => perform(async (context) => (await actions()).redeliver(context, id, delivery)));
}
