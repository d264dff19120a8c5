/* Carillon's service worker: shows a push message, and opens where it leads when somebody taps it.

   A worker belongs to the origin of its page, so your site has a file of its own, /push-worker.js, with one line:

     importScripts("https://YOUR-CARILLON/push-worker.js");

   And a page that may ask for permission, because somebody pressed a button for it:

     const home = "https://YOUR-CARILLON";
     const worker = await navigator.serviceWorker.register("/push-worker.js");
     const { key } = await (await fetch(`${home}/push/key`)).json();
     const subscription = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
     await fetch(`${home}/push/subscribe`, { method: "POST", body: JSON.stringify({
       writeKey: "wk_…",
       anonymousId: JSON.parse(localStorage.getItem("carillon")).who.anonymousId, // once they agreed to be known
       userId: "42", user_hash: "…", // in its place, where your server computed the hash
       subscription,
     }) }); */
"use strict";

self.addEventListener("push", (event) => {
  let told = {};
  try { told = event.data.json(); } catch (error) { told = { title: event.data ? event.data.text() : "" }; }
  event.waitUntil(self.registration.showNotification(told.title || "", {
    body: told.body || "",
    tag: told.mid, // the same message twice is one notification
    data: { url: told.url || "" },
  }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { url } = event.notification.data || {};
  if (url && /^https?:\/\//.test(url)) event.waitUntil(self.clients.openWindow(url));
});
