// @ts-check
/**
 * The beginning of a file's page: modules are made of the texts that it holds, each after those that it imports, and the viewer is shown.
 * A plain script, the only one that the page's policy lets run: a browser loads no module from a disk.
 */
(async () => {
  const held = (/** @type {string} */ id) => JSON.parse(document.getElementById(id)?.textContent ?? '');
  /** @type {Record<string, string>} */
  const addresses = {};
  for (const [name, text] of held('modules')) {
    const linked = text.replace(/'held:([^']+)'/g, (/** @type {string} */ _, /** @type {string} */ other) => `'${addresses[other]}'`);
    addresses[name] = URL.createObjectURL(new Blob([linked], { type: 'text/javascript' }));
  }
  const contents = held('contents');
  const [file, viewer] = await Promise.all([import(addresses['file.js']), import(addresses[contents.entry])]);
  await file.show(viewer.mount, contents);
})().catch((error) => {
  const place = document.querySelector('.av-message') ?? document.body;
  place.textContent = `This browser cannot show the file (${error.message}). Chromium, Firefox and Safari can, from 2023 on.`;
  console.error(error);
});
