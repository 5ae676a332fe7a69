// Real browsers with generated camera and sound, behind one small interface, because Playwright drives
// Chromium and Puppeteer (WebDriver BiDi) Debian's Firefox.
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';

import { chromiumPath, firefoxPath, resultsFolder } from './paths.mjs';
import { watchConnections } from './stats.mjs';
import { until } from './wait.mjs';

export const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 360, height: 740 };

/** For one click or one look; a busy machine of two cores needs some of it. */
const ACTION_LIMIT_MS = 15_000;

const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--use-fake-device-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
  '--allow-loopback-in-peer-connection',
  // Candidates with addresses instead of mDNS names, which nothing here answers.
  '--disable-features=WebRtcHideLocalIpsWithMdns',
];
const GRANT_MEDIA = '--use-fake-ui-for-media-stream';

const FIREFOX_PREFERENCES = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  'media.autoplay.default': 0,
  'media.getdisplaymedia.enabled': true,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'datareporting.policy.dataSubmissionEnabled': false,
};

/** media: 'granted' or 'denied' (the person says no, or has no device, see the tests). */
export function launchChromium({ media = 'granted', flags = [] } = {}) {
  return chromium.launch({
    executablePath: chromiumPath(),
    headless: true,
    args: [...CHROMIUM_FLAGS, ...(media === 'granted' ? [GRANT_MEDIA] : []), ...flags],
  });
}

export function launchFirefox({ preferences = {} } = {}) {
  return puppeteer.launch({
    browser: 'firefox',
    executablePath: firefoxPath(),
    headless: true,
    acceptInsecureCerts: true,
    extraPrefsFirefox: { ...FIREFOX_PREFERENCES, ...preferences },
  });
}

/**
 * A person at a browser. `press`, `type` and `waitFor` go by a CSS selector, for what has no name of its own. `click`, `fill` and `see` find things as people and screen readers do:
 * by role and accessible name.
 */
class Person {
  constructor(name) {
    this.name = name;
    this.console = [];
  }

  shot(name, options = {}) {
    return this.screenshot(join(resultsFolder('screens'), `${name}.png`), options);
  }

  /** Errors that the page itself reported. */
  pageErrors() {
    return this.console.filter(({ type }) => type === 'pageerror').map(({ text }) => text);
  }
}

export class ChromiumPerson extends Person {
  /** options go to the browser context: viewport, colorScheme, locale, timezoneId, permissions… */
  static async at(browser, name, options = {}) {
    const person = new ChromiumPerson(name);
    person.context = await browser.newContext({
      ignoreHTTPSErrors: true,
      viewport: DESKTOP,
      locale: 'en-GB',
      reducedMotion: 'reduce',
      ...options,
    });
    await person.context.addInitScript(watchConnections);
    person.page = await person.context.newPage();
    person.page.setDefaultTimeout(ACTION_LIMIT_MS);
    person.page.on('console', (message) => person.console.push({ type: message.type(), text: message.text() }));
    person.page.on('pageerror', (error) => person.console.push({ type: 'pageerror', text: String(error.stack ?? error) }));
    return person;
  }

  open(url) {
    return this.page.goto(String(url), { waitUntil: 'load' });
  }

  locator(role, name, options = {}) {
    return this.page.getByRole(role, { ...(name === undefined ? {} : { name }), ...options }).first();
  }

  async click(role, name) {
    await this.locator(role, name).click();
  }

  async fill(name, value) {
    await this.page.getByLabel(name).first().fill(value);
  }

  async press(css) {
    await this.page.locator(css).first().click();
  }

  async type(css, value) {
    await this.page.locator(css).first().fill(value);
  }

  async waitFor(css, timeout = ACTION_LIMIT_MS) {
    await this.page.locator(css).first().waitFor({ state: 'attached', timeout });
  }

  async see(role, name, timeout = ACTION_LIMIT_MS) {
    await this.locator(role, name).waitFor({ state: 'visible', timeout });
  }

  async seeText(text, timeout = ACTION_LIMIT_MS) {
    await this.page.getByText(text).first().waitFor({ state: 'visible', timeout });
  }

  evaluate(fn, argument) {
    return this.page.evaluate(fn, argument);
  }

  text() {
    return this.page.locator('body').innerText();
  }

  url() {
    return this.page.url();
  }

  async resize(viewport) {
    await this.page.setViewportSize(viewport);
  }

  async screenshot(path, { fullPage = false } = {}) {
    await this.page.screenshot({ path, fullPage, animations: 'disabled' });
  }

  async close() {
    await this.context.close();
  }
}

export class FirefoxPerson extends Person {
  static async at(browser, name, { viewport = DESKTOP } = {}) {
    const person = new FirefoxPerson(name);
    person.page = await browser.newPage();
    await person.page.setViewport(viewport);
    await person.page.evaluateOnNewDocument(watchConnections);
    person.page.on('console', (message) => person.console.push({ type: message.type(), text: message.text() }));
    person.page.on('pageerror', (error) => person.console.push({ type: 'pageerror', text: String(error.stack ?? error) }));
    return person;
  }

  open(url) {
    return this.page.goto(String(url), { waitUntil: 'load' });
  }

  /** A handle to the first visible element of that role whose name is `name` (text or expression). */
  async find(role, name, timeout = ACTION_LIMIT_MS) {
    const wanted = name instanceof RegExp ? { source: name.source, flags: name.flags } : name;
    return until(
      `${this.name} sees ${role} “${name}”`,
      async () => {
        const handle = await this.page.evaluateHandle(findByRole, role, wanted);
        return handle.asElement();
      },
      { timeout },
    );
  }

  async click(role, name) {
    const handle = await this.find(role, name);
    await handle.evaluate((element) => element.scrollIntoView({ block: 'center' }));
    await handle.click();
  }

  async fill(name, value) {
    await this.typeInto(await this.find('textbox', name), value);
  }

  async press(css) {
    const handle = await this.page.waitForSelector(css, { visible: true, timeout: ACTION_LIMIT_MS });
    await handle.evaluate((element) => element.scrollIntoView({ block: 'center' }));
    await handle.click();
  }

  async type(css, value) {
    await this.typeInto(await this.page.waitForSelector(css, { visible: true, timeout: ACTION_LIMIT_MS }), value);
  }

  async typeInto(handle, value) {
    await handle.click({ clickCount: 3 });
    await this.page.keyboard.press('Backspace');
    await handle.type(value);
  }

  async waitFor(css, timeout = ACTION_LIMIT_MS) {
    await this.page.waitForSelector(css, { timeout });
  }

  async see(role, name, timeout) {
    await this.find(role, name, timeout);
  }

  async seeText(text, timeout = ACTION_LIMIT_MS) {
    await until(
      `${this.name} sees “${text}”`,
      async () => {
        const body = await this.text();
        return text instanceof RegExp ? text.test(body) : body.includes(text);
      },
      { timeout },
    );
  }

  evaluate(fn, argument) {
    return this.page.evaluate(fn, argument);
  }

  text() {
    return this.page.evaluate(() => document.body.innerText);
  }

  url() {
    return this.page.url();
  }

  async resize(viewport) {
    await this.page.setViewport(viewport);
  }

  async screenshot(path, { fullPage = false } = {}) {
    await this.page.screenshot({ path, fullPage });
  }

  async close() {
    await this.page.close();
  }
}

/** Runs in the page: the roles that these tests use, with names from label, aria and text. */
function findByRole(role, name) {
  const selectors = {
    button: 'button, [role=button], input[type=submit]',
    link: 'a[href], [role=link]',
    textbox: 'input:not([type]), input[type=text], input[type=email], input[type=tel], input[type=password], textarea, [role=textbox]',
    heading: 'h1, h2, h3, h4, [role=heading]',
    checkbox: 'input[type=checkbox], [role=checkbox]',
    radio: 'input[type=radio], [role=radio]',
    menuitem: '[role=menuitem]',
    status: '[role=status]',
    alert: '[role=alert]',
    dialog: '[role=dialog], [role=alertdialog], dialog',
    alertdialog: '[role=alertdialog]',
  };
  const nameOf = (element) => {
    const byId = (element.getAttribute('aria-labelledby') ?? '')
      .split(/\s+/)
      .map((id) => document.getElementById(id)?.textContent ?? '')
      .join(' ');
    const label = [...(element.labels ?? [])].map((node) => node.textContent).join(' ');
    const found = [byId, element.getAttribute('aria-label'), label, element.innerText ?? element.textContent, element.value];
    return (found.find((text) => text?.trim()) ?? '').replace(/\s+/g, ' ').trim();
  };
  const fits = (text) => {
    if (name === undefined || name === null) return true;
    if (typeof name === 'string') return text.toLowerCase().includes(name.toLowerCase());
    return new RegExp(name.source, name.flags).test(text);
  };
  const visible = (element) => element.getClientRects().length > 0 && getComputedStyle(element).visibility !== 'hidden';
  return [...document.querySelectorAll(selectors[role] ?? `[role=${role}]`)].find(
    (element) => visible(element) && !element.closest('[aria-hidden=true], [inert]') && fits(nameOf(element)),
  ) ?? null;
}
