"""Who keeps a mailbox, by the domain of its address. Known domains only, and nobody's mail exchanger is looked up: a
company's own domain is `other`, wherever its mail is kept."""

from __future__ import annotations

from collections.abc import Mapping

OTHER = "other"

NAMES: Mapping[str, str] = {  # as people call them
    "gmail": "Gmail",
    "outlook": "Outlook and Hotmail",
    "yahoo": "Yahoo and AOL",
    "apple": "Apple iCloud",
    "gmx": "GMX and mail.com",
    "webde": "WEB.DE",
    "tonline": "T-Online",
    "proton": "Proton",
    "comcast": "Comcast",
    "orange": "Orange",
    "free": "Free",
    "libero": "Libero",
    "mailru": "Mail.ru",
    "yandex": "Yandex",
    "qq": "QQ",
    "netease": "NetEase",
    "naver": "Naver",
    OTHER: "Everybody else",
}

_DOMAINS: Mapping[str, str] = {
    "gmail": "gmail.com googlemail.com",
    "outlook": "outlook.com outlook.de outlook.fr outlook.es outlook.it outlook.jp outlook.at outlook.be outlook.dk"
    " outlook.ie outlook.in outlook.com.br outlook.com.au outlook.com.ar outlook.com.tr outlook.pt outlook.cl"
    " hotmail.com hotmail.co.uk hotmail.de hotmail.fr hotmail.es hotmail.it hotmail.nl hotmail.be hotmail.se hotmail.no"
    " hotmail.dk hotmail.ca hotmail.ch hotmail.gr hotmail.co.jp hotmail.com.br hotmail.com.ar hotmail.com.tr"
    " live.com live.co.uk live.de live.fr live.it live.nl live.be live.se live.no live.dk live.ca live.at live.jp"
    " live.com.au live.com.mx live.com.pt live.cn live.in msn.com windowslive.com passport.com",
    "yahoo": "yahoo.com yahoo.co.uk yahoo.de yahoo.fr yahoo.es yahoo.it yahoo.ca yahoo.in yahoo.co.in yahoo.co.id"
    " yahoo.com.br yahoo.com.ar yahoo.com.mx yahoo.com.au yahoo.com.tr yahoo.com.tw yahoo.com.hk yahoo.com.sg"
    " yahoo.com.ph yahoo.com.vn yahoo.com.my yahoo.gr yahoo.ie yahoo.nl yahoo.pl yahoo.ro yahoo.se yahoo.dk yahoo.no"
    " ymail.com rocketmail.com aol.com aol.co.uk aol.de aol.fr aim.com verizon.net att.net sbcglobal.net bellsouth.net",
    "apple": "icloud.com me.com mac.com privaterelay.appleid.com",
    "gmx": "gmx.de gmx.net gmx.at gmx.ch gmx.com gmx.us gmx.co.uk gmx.fr gmx.es gmx.org gmx.eu mail.com email.com",
    "webde": "web.de",
    "tonline": "t-online.de magenta.de",
    "proton": "proton.me protonmail.com protonmail.ch pm.me",
    "comcast": "comcast.net xfinity.com",
    "orange": "orange.fr wanadoo.fr",
    "free": "free.fr",
    "libero": "libero.it virgilio.it inwind.it iol.it blu.it",
    "mailru": "mail.ru bk.ru inbox.ru list.ru internet.ru",
    "yandex": "yandex.ru yandex.com ya.ru yandex.by yandex.kz yandex.ua",
    "qq": "qq.com foxmail.com",
    "netease": "163.com 126.com yeah.net",
    "naver": "naver.com",
}

BY_DOMAIN: Mapping[str, str] = {
    domain: provider for provider, domains in _DOMAINS.items() for domain in domains.split()
}


def of(address: str) -> str:
    """The mailbox provider of an address; `other` for everything that is not known, an erased address too."""
    return BY_DOMAIN.get(domain_of(address), OTHER)


def domain_of(address: str) -> str:
    """Empty if it has none."""
    return address.rpartition("@")[2].strip().rstrip(".").lower() if "@" in address else ""


def name(provider: str) -> str:
    return NAMES.get(provider, provider)
