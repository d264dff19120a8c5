// The kinds of blocks: what each is called, what a new one holds, how one is told from another, and its fields.

const line = (name, label, more = {}) => ({ name, label, type: "line", tags: true, ...more });
const address = (name, label, more = {}) => ({ name, label, type: "address", tags: true, hint: "https://…, mailto:… or a value", ...more });
const ALIGN = { name: "align", label: "Position", type: "choice", options: [["left", "Left"], ["center", "Centre"], ["right", "Right"]] };

export const NETWORKS = [
  ["facebook", "Facebook"], ["instagram", "Instagram"], ["linkedin", "LinkedIn"], ["mastodon", "Mastodon"], ["threads", "Threads"],
  ["tiktok", "TikTok"], ["x", "X"], ["youtube", "YouTube"], ["website", "Website"],
];
export const FONTS = [["sans", "Helvetica"], ["humanist", "Verdana"], ["rounded", "Trebuchet"], ["serif", "Georgia"], ["mono", "Courier"]];

// What a field holds where the document does not say.
export const UNSAID = {
  theme: { accent: "#4f46e5", background: "#eef2ff", surface: "#ffffff", ink: "#0f172a", font: "sans", width: 600, radius: 12 },
  logo: { align: "center", width: 140 }, heading: { level: 1, align: "left" }, text: { size: "normal", align: "left" },
  button: { align: "left", wide: false }, image: { align: "center", width: 0 }, spacer: { height: 24 }, social: { align: "center" },
};

export const KINDS = {
  heading: {
    label: "Heading", icon: "title", make: () => ({ text: "A heading" }), summary: (block) => block.text,
    fields: [line("text", "Text"), { name: "level", label: "Size", type: "choice", numeric: true, options: [[1, "Large"], [2, "Medium"], [3, "Small"]] }, ALIGN],
  },
  text: {
    label: "Text", icon: "notes", make: () => ({ text: "Some words." }), summary: (block) => block.text,
    fields: [
      { name: "text", label: "Text", type: "rich", tags: true },
      { name: "size", label: "Size", type: "choice", options: [["small", "Small"], ["normal", "Normal"], ["large", "Large"]] }, ALIGN,
    ],
  },
  button: {
    label: "Button", icon: "smart_button", make: () => ({ text: "Have a look", href: "" }), summary: (block) => block.text,
    fields: [line("text", "Words"), address("href", "Leads to"), ALIGN, { name: "wide", label: "As wide as the mail", type: "check" }],
  },
  image: {
    label: "Image", icon: "image", make: () => ({ src: "", alt: "" }), summary: (block) => block.alt || block.src || "No picture yet",
    fields: [
      address("src", "Address of the picture"), line("alt", "In words", { hint: "For whoever does not see the picture" }), address("href", "Leads to"),
      { name: "width", label: "Width", type: "number", min: 0, max: 1200, hint: "In pixels; 0 is as wide as there is room" }, ALIGN,
    ],
  },
  columns: {
    label: "Columns", icon: "view_column", leaf: false,
    make: () => ({ columns: [[{ type: "heading", text: "On the left", level: 3 }], [{ type: "heading", text: "On the right", level: 3 }]] }),
    summary: (block) => block.columns.map((column) => column.map(summary).find(Boolean) ?? "empty").join(", "), fields: [],
  },
  product: {
    label: "Product", icon: "sell", make: () => ({ title: "A product", text: "", price: "", src: "", href: "", button: "" }), summary: (block) => block.title,
    fields: [
      line("title", "Title"), line("text", "A few words"), line("price", "Price"), address("src", "Address of the picture"),
      line("alt", "The picture in words"), line("button", "Words of the button", { hint: "Left empty, there is none" }), address("href", "Leads to"),
    ],
  },
  divider: { label: "Divider", icon: "horizontal_rule", make: () => ({}), summary: () => "A thin line", fields: [] },
  spacer: {
    label: "Spacer", icon: "height", make: () => ({ height: 24 }), summary: (block) => `${block.height ?? 24} pixels of room`,
    fields: [{ name: "height", label: "Height", type: "number", min: 4, max: 200, hint: "In pixels" }],
  },
  logo: {
    label: "Logo", icon: "token", make: () => ({ text: "Your name" }), summary: (block) => block.text || block.src,
    fields: [
      line("text", "Name", { hint: "In words, also for whoever does not see the picture" }), address("src", "Address of the picture"),
      { name: "width", label: "Width", type: "number", min: 0, max: 1200, hint: "Of the picture, in pixels" }, address("href", "Leads to"), ALIGN,
    ],
  },
  social: {
    label: "Social links", icon: "share", make: () => ({ links: [{ network: "website", href: "https://" }] }),
    summary: (block) => (block.links ?? []).map((link) => NETWORKS.find(([name]) => name === link.network)?.[1] ?? "").join(", "),
    fields: [{ name: "links", label: "Links", type: "links" }, ALIGN],
  },
  html: {
    label: "HTML", icon: "code", make: () => ({ html: "<p>Hello</p>" }), summary: (block) => block.html,
    fields: [{ name: "html", label: "HTML", type: "html", tags: true, hint: "Well-formed, and without scripts" }],
  },
  footer: {
    label: "Footer", icon: "lock", locked: true, make: () => ({ text: "" }), summary: (block) => block.text || "Always has an unsubscribe link",
    fields: [{
      name: "text", label: "Why they get this mail", type: "rich", tags: true,
      hint: "Below it every marketing mail says who you are and how to unsubscribe. That part cannot be taken away.",
    }],
  },
};

export const kindOf = (block) => KINDS[block?.type] ?? { label: String(block?.type ?? "?"), icon: "help", summary: () => "", fields: [] };

// Words with their merge tags by name: about as long as what people get.
export const plain = (words) => words
  .replace(/\{\{\^\s*([\w.-]+)\s*\}\}[\s\S]*?\{\{\/\s*\1\s*\}\}/g, "")
  .replace(/\{\{[#/^][\s\S]*?\}\}/g, "")
  .replace(/\{\{\{?\s*([\w.-]+)\s*\}?\}\}/g, (_, name) => spoken(name));

// The words of a block as a list shows them.
export const summary = (block) => plain(String(kindOf(block).summary(block) ?? "")).replace(/\*\*|\[([^\]]*)\]\([^)]*\)/g, "$1").trim();

// first_name -> First name
export function spoken(name) {
  const words = name.replace(/^(contact|trigger)\./, "").replaceAll(/[_.]/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export const fresh = (type) => ({ type, ...KINDS[type].make() });
