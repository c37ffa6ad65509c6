// @ts-check
/** Light or dark, as the system has it, on a page that is no part of the app's. */

export function followTheme() {
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  const follow = () => document.body.classList.toggle('dark', dark.matches);
  dark.addEventListener('change', follow);
  follow();
}
