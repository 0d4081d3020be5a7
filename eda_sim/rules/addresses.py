"""Every address of a random number: what it is drawn for, readably.

An address names a thing (a work of a service, a message of a sender, a fault) and, behind a
slash, what is drawn about it. Names are the user's and may hold anything, so what separates
the parts of an address is escaped in them: no two draws share an address.

=====================================  ==========================================================
address                                what is drawn
=====================================  ==========================================================
``payment/charge card``                how long a work takes; of a branch, which way it goes
``payment/charge card/transient``      whether an attempt at it fails
``payment/charge card/permanent``      whether it fails for a request
``orders -> Pay/there``, ``/back``     how long a call and its reply travel
``orders -> Pay/jitter``               how long a try waits for the next
``orders -> Paid/publish``             how long the broker takes to accept a message
``orders -> Paid/confirm``             whether a fault hits the broker's confirmation
``orders -> Paid/email/deliver``       how long an accepted message travels to a subscriber
``orders -> Paid/email/turnaround``    how long an acknowledgement takes to come back
``orders -> Paid/email/acknowledge``   what happens to it on a troubled link
``orders -> Paid/email/jitter``        how long an attempt waits for the next
``…/constant loss of every link 0``    whether a fault hits what travels, or the work
``…/random reordering of … 0/delay``   for how long it holds up what travels
``outage of payment``                  when a random fault comes and goes (``rules.plan.faults``)
``arrival``, ``key``                   when requests come, and what each is about
=====================================  ==========================================================
"""

from typing import Final, NamedTuple

ARRIVAL: Final = "arrival"
KEY: Final = "key"

# What separates the parts of an address, and what escapes it.
_ESCAPES: Final = str.maketrans({c: f"%{ord(c):02X}" for c in "%/>|,\x1f"})


class Address(NamedTuple):
    """Where a random number is found, but for the request and its tries."""

    text: str
    source: str
    place: int = 0

    def of(self, what: str) -> "Address":
        """Return the address of something else that is drawn about the same thing.

        >>> Address("payment/charge card", "customers").of("transient").text
        'payment/charge card/transient'
        """
        return Address(f"{self.text}/{what}", self.source, self.place)


def escaped(name: str) -> str:
    """Return a name as it stands in an address.

    >>> escaped("charge card"), escaped("24/7")
    ('charge card', '24%2F7')
    """
    return name.translate(_ESCAPES)


def of_step(owner: str, label: str) -> str:
    """Return the address of a work or a branch of a service.

    >>> of_step("payment", "charge card")
    'payment/charge card'
    """
    return f"{escaped(owner)}/{escaped(label)}"


def of_message(sender: str, name: str) -> str:
    """Return the address of a message that a service or a source makes.

    >>> of_message("orders", "OrderPlaced")
    'orders -> OrderPlaced'
    """
    return f"{escaped(sender)} -> {escaped(name)}"


def of_subscriber(message: str, service: str) -> str:
    """Return the address of what a subscriber has to do with the message at an address.

    >>> of_subscriber(of_message("orders", "OrderPlaced"), "email")
    'orders -> OrderPlaced/email'
    """
    return f"{message}/{escaped(service)}"
