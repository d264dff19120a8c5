/* Carillon's snippet: tells your Carillon what happens on this page.

   <script async src="https://YOUR-CARILLON/t.js" data-key="wk_…"></script>

   carillon.page({…})                     a page view; one is sent by itself on load and on every change of address
   carillon.track("quote_requested", {…}) something that a visitor did
   carillon.identify("42", {email: …}, {user_hash: …})  who it is; user_hash is computed on your server
   carillon.consent({tracking: true, …})  what the visitor agreed to, by category
   carillon.reset()                       forget who it was: at log-out

   data-consent="granted" or "denied": what holds for visitors who were not asked. data-pages="manual": no page views
   by itself. Until somebody agrees, no identifier is written to the browser. When they refuse, or their browser does
   for them (Global Privacy Control, Do Not Track), page views and events are not sent at all. */
(() => {
  "use strict";
  const script = document.currentScript, before = window.carillon || {};
  if (!script || before.ready) return;
  const { key, consent: custom, pages } = script.dataset, nav = navigator;
  const address = new URL("v1/b", script.src).href;
  const NAME = "carillon", QUEUE = NAME + ".queue", MOST = 100, AT_ONCE = 20, SOON = 250, LATEST = 60000;
  const refused = nav.globalPrivacyControl || nav.doNotTrack === "1";

  const random = () => crypto.randomUUID ? crypto.randomUUID() : // which only exists on https
    "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (c) =>
      (c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (c / 4)))).toString(16));
  const read = (name) => { try { return JSON.parse(localStorage.getItem(name)); } catch (e) { return null; } };
  const write = (name, value) => {
    try {
      if (value) localStorage.setItem(name, JSON.stringify(value));
      else localStorage.removeItem(name);
    } catch (e) { /* storage is full or forbidden: then it lasts as long as the page */ }
  };

  let { said, who } = read(NAME) || {};
  let queue = read(QUEUE) || [], flying = [], failures = 0, timer = 0, seen = document.referrer, here = "";
  who = who || { anonymousId: random() };
  write(QUEUE); // ours now; another tab would send it once more

  // true, false, or undefined where nobody was asked: then the server's default decides
  const tracking = () => said && "tracking" in said ? said.tracking : refused ? false : custom ? custom === "granted" : undefined;
  const remember = () => {
    write(NAME, tracking() ? { said, who } : said && { said });
    write(QUEUE, tracking() && queue.length ? queue : null);
  };

  const context = () => {
    const { pathname, search, href } = location, campaign = {};
    new URLSearchParams(search).forEach((value, name) => { if (/^utm_/.test(name)) campaign[name.slice(4)] = value; });
    return {
      page: { url: href.split("#")[0], path: pathname, search, title: document.title, referrer: seen },
      campaign, locale: nav.language, timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      consent: { categoryPreferences: Object.assign(
        refused ? { Advertising: false, sale: false } : {}, { tracking: tracking() }, said) },
      user_hash: who.user_hash, library: { name: "t.js", version: "1" },
    };
  };

  const add = (type, fields, always) => {
    if (tracking() === false && !always) return;
    queue.push(Object.assign({
      type, messageId: random(), timestamp: new Date().toISOString(), context: context(),
      anonymousId: who.anonymousId, userId: who.userId,
    }, fields));
    queue = queue.slice(-MOST);
    remember();
    if (!timer && !flying.length) timer = setTimeout(send, SOON);
  };

  const body = (batch) => JSON.stringify({ batch, writeKey: key, sentAt: new Date().toISOString() });
  const send = () => {
    clearTimeout(timer);
    timer = 0;
    if (flying.length || !queue.length) return;
    flying = queue.slice(0, AT_ONCE);
    const text = body(flying);
    // text/plain needs no preflight; keepalive outlives the page, for bodies that are not too large
    fetch(address, { method: "POST", body: text, credentials: "omit", keepalive: text.length < 30000 }).then((answer) => {
      if (answer.status > 499 || answer.status === 429) throw answer;
      queue = queue.filter((each) => !flying.includes(each)); // taken, or never will be
      failures = 0;
    }).catch(() => { failures++; }).then(() => {
      flying = [];
      remember();
      if (queue.length) timer = setTimeout(send, failures ? Math.min(LATEST, 1000 * 2 ** failures) : 0);
    });
  };
  const leave = () => {
    if (document.visibilityState !== "hidden" || nav.onLine === false) return;
    const rest = queue.filter((each) => !flying.includes(each));
    while (rest.length && nav.sendBeacon(address, body(rest.slice(0, AT_ONCE)))) rest.splice(0, AT_ONCE);
    queue = flying.concat(rest);
    remember();
  };

  const api = {
    ready: true,
    page: (properties) => add("page", { properties: Object.assign(context().page, properties) }),
    track: (event, properties) => add("track", { event, properties }),
    identify(userId, traits, proof) {
      who = Object.assign(who, { userId: userId && String(userId) }, proof && { user_hash: proof.user_hash });
      add("identify", { traits }, true);
    },
    consent(categories) {
      const was = tracking();
      said = Object.assign({}, said, categories);
      if (tracking() === false) queue = [];
      if (tracking() === false) who = { anonymousId: random() };
      remember();
      if (was === false && here) { here = ""; viewed(); } // the page on which they changed their mind
    },
    reset() { who = { anonymousId: random() }; remember(); },
  };
  const viewed = () => {
    const now = location.href.split("#")[0];
    if (now === here) return;
    if (here) seen = here;
    here = now;
    api.page();
  };

  const start = () => {
    window.carillon = api;
    const calls = before.q || [], choices = calls.filter(([name]) => name === "consent");
    const replay = (list) => list.forEach(([name, ...values]) => api[name](...values));
    replay(choices); // before the page view, which they decide about
    if (pages !== "manual") {
      viewed();
      const push = history.pushState;
      history.pushState = function () { push.apply(this, arguments); setTimeout(viewed); }; // later: the title follows
      addEventListener("popstate", () => setTimeout(viewed));
    }
    replay(calls.filter((call) => !choices.includes(call)));
    if (queue.length) send();
    addEventListener("online", send);
    addEventListener("pagehide", leave);
    document.addEventListener("visibilitychange", leave);
  };
  if (document.prerendering) document.addEventListener("prerenderingchange", start, { once: true });
  else start();
})();
